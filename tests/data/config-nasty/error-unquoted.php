<?php
$CONFIG = ['dbhost' => 'x',
  'dbpassword' => hunter2!§ ];
