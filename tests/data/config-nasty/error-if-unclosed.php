<?php
$CONFIG = ['dbpassword' => 'hunter2'];
if (getenv('X')) {
  $CONFIG['a'] = 1;
