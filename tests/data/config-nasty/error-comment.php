<?php
$CONFIG = ['dbhost' => 'x'];
/* hunter2
