<?php
$CONFIG = ['dbhost' => 'x', 'dbname' => 'y'];
$CONFIG = array_merge($CONFIG, load_from_vault());
require_once '/nonexistent/extra.php';
$CONFIG['dbuser'] = 'nc';
