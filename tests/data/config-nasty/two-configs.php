<?php
# $CONFIG = array('dbhost' => "it's commented out");
/* $CONFIG = [ 'unclosed" => */
$CONFIG = array (
  'dbhost' => 'old',       // don't use "$CONFIG['dbhost']" here
  'dbname' => 'old',
);

// second block, pasted from a forum
$CONFIG = array (
  'dbhost' => 'new', # it's this one
  'redis' => array('host' => 'a'),
);
$CONFIG['redis'] = array_merge($CONFIG['redis'], ['port' => 1234]);
$CONFIG += ['dbhost' => 'not this', 'dbname' => 'added'];
$CONFIG['trusted_proxies'][] = '10.0.0.1';
$CONFIG['trusted_proxies'][] = '10.0.0.2';
$CONFIG['redis']['ssl_context']['verify_peer'] = false;
unset($CONFIG['redis']['host']);
