<?php
defined('OC_CONSOLE') || die('no');
$CONFIG = ['dbhost' => 'a', 'dbname' => 'b', 'dbuser' => 'c', 'keep' => 1];
if (function_exists('apcu_enabled') && apcu_enabled()) {
    $CONFIG['memcache.local'] = '\OC\Memcache\APCu';
    $CONFIG['dbhost'] = 'x';
} else {
    $host = 'y';
}
if (PHP_SAPI === 'cli') { $CONFIG = array_merge($CONFIG, ['dbname' => 'cli', 'dbuser' => 'c']); }
$CONFIG['overwrite.cli.url'] = $host;
while (next_thing($x)) { $CONFIG['dbport'] = 1; }
for ($i = 0; $i < 3; $i++) { $CONFIG['many'][$i] = $i; }
foreach (hosts() as $h) { $CONFIG['redis.cluster']['seeds'][] = $h; }
try { $CONFIG['tried'] = 'yes'; } catch (\Exception $e) { $CONFIG['tried'] = 'no'; } finally { $CONFIG['finally'] = 1; }
if (defined('NOPE')) { exit; }
