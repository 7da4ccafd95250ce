<?php
$CONFIG = array(
  'dbhost' => ‘localhost’,
  'dbname' => 'nc',
);
