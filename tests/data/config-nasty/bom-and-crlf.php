<?php
declare(strict_types=1);
$CONFIG = array (
  'dbhost' => 'localhost', // comment
  'motd' => 'two
lines',
  'here' => <<<EOT
    one
    two
    EOT,
);
