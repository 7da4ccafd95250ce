<?php
$CONFIG = ['order' => '2', 'shared' => $prefix . 'x'];
