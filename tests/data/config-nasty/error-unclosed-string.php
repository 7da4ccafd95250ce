<?php
$CONFIG = array (
  'dbhost' => 'localhost',
  'dbpassword' => 'hunter2,
  'dbuser' => 'nc',
  'installed' => true,
);
