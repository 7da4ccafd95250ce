<?php
$CONFIG = ['dbpassword' => fetch(), 'redis' => ['port' => fetch(), 'host' => 'a'], 'secret' => fetch()];
$CONFIG['dbpassword'] = 'known';
$CONFIG['redis']['port'] = 6380;
unset($CONFIG['secret']);
