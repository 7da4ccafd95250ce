<?php
$CONFIG = array(
  'dbhost' => 'x',
  'dbpassword' => hunter2',
  'dbname' => 'nc',
);
