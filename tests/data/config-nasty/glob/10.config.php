<?php
$CONFIG = ['order' => '10', 'redis' => ['host' => 'ten']];
