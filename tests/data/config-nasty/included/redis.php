<?php
return [
    'host' => $redisHost ?? 'unset',
    'port' => 6379 + 1,
    'me' => basename(__FILE__),
];
