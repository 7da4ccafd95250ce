<?php
$CONFGI = ['dbpassword' => 'hunter2'];
