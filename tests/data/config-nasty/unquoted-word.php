<?php
$CONFIG = ['dbhost' => 'x', 'dbpassword' => hunter2, 'other' => hunter2()];
