<?php
// grüße vom Admin
$CONFIG = array(
  'dbhost' => 'db', # für immer
  'dbuser' => 'jürgen',
  'dbname' => 'nc',
  'utf8' => "J\xc3\xbcrgen \u{1F600}",
);
