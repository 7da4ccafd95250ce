<?php
$redisHost = 'cache';
$CONFIG = ['loglevel' => 1, 'dbname' => 'x'];
require 'included/sets-config.php';
require_once(__DIR__ . '/included/sets-config.php');
$CONFIG = array_merge($CONFIG, [
    'redis' => require __DIR__ . '/included/redis.php',
    'optional' => @include 'included/not-there.php',
    'missing' => require 'included/not-there.php',
    'broken' => include __DIR__ . "/included/broken.php",
]);
if (file_exists(__DIR__ . '/local.php')) { include __DIR__ . '/local.php'; }
include 'included/loop.php';
