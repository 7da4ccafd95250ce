<?php
$CONFIG = array (
  'dbpassword' => 'hunter2',
  'redis' => [ 'host' => 'x' ],
