<?php
$CONFIG = ['dbpassword' => 'hunter2']
$CONFIG['dbhost'] = 'x';
