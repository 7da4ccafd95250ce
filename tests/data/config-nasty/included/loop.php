<?php
require __DIR__ . '/loop.php';
$CONFIG['loop'] = 'ended';
