<?php
$CONFIG = array (
  'dbhost' => 'localhost',
  'dbpassword' => "hunter2,
);
