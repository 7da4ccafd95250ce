<?php
$CONFIG = ['dbhost' => <<<EOT
hunter2
];
