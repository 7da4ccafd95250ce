<?php
$CONFIG = array(
  'dbpassword' => 'hunter2',
  'redis' => array('host' => 'x')),
  'dbname' => 'nc',
);
