<?php
$vault = new Vault('https://vault', ['token' => 'hunter2']);
$CONFIG = [
  'dbhost' => 'db',
  'dbpassword' => $vault->get('db', ['x' => 1])?->value,
  'dbuser' => vault_read('user') ?: 'fallback',
  'apps_paths' => [
    ['path' => \OC::$SERVERROOT . '/apps', 'url' => '/apps', 'writable' => false],
  ],
  'redis' => [
    'host' => 'cache',
    'port' => my_port(),
    'timeout' => 60 * 5,
    'options' => [\Redis::OPT_PREFIX => 'x', 'ok' => 1],
  ],
  'memcached_options' => [ \Memcached::OPT_CONNECT_TIMEOUT => 50 ],
  'closure' => function ($x) use ($vault) { return ['a' => $x]; },
  'arrow' => static fn(int $x): int => $x + 1,
  'match' => match (true) { 1 > 0 => 'a', default => 'b' },
  'shell' => `cat /etc/hostname`,
  'datadirectory' => '/data',
];
$CONFIG['dbtype'] = $undefined;
$CONFIG['dbname'] = UNKNOWN_CONSTANT;
$CONFIG[some_key()] = 1;
