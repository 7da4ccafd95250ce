<?php
$secrets = __DIR__ . '/included';
$read = is_readable("$secrets/db-password.txt");
$CONFIG = [
  'dbpassword' => $read ? trim(file_get_contents("$secrets/db-password.txt")) : '',
  'secret' => rtrim(file_get_contents($secrets . '/db-password.txt'), "\r\n"),
  'passwordsalt' => @file_get_contents('/run/secrets/does-not-exist'),
  'dbuser' => file_exists('/run/secrets/does-not-exist') ? 'nobody' : 'nc',
  'dbhost' => 'db',
];
