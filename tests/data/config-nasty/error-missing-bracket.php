<?php
$CONFIG = array (
  'dbhost' => 'localhost',
  'redis' => [
    'password' => 'hunter2',
);
