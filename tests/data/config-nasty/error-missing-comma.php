<?php
$CONFIG = array (
  'dbhost' => 'localhost',
  'dbuser' => 'nc'
  'dbpassword' => 'hunter2',
);
