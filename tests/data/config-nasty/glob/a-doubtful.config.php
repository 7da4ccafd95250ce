<?php
if (PHP_SAPI == 'cli') { $CONFIG['dbname'] = 'cli'; }
$CONFIG['isset'] = isset($CONFIG['dbhost']);
