<?php
$CONFIG['dbname'] = 'from_include';
$CONFIG['loglevel'] = $CONFIG['loglevel'] + 1;
