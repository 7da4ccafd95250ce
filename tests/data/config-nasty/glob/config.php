<?php
$prefix = 'oc_';
$CONFIG = ['dbhost' => 'main', 'redis' => ['host' => 'main', 'port' => 1], 'dbtableprefix' => $prefix, 'order' => 'main'];
