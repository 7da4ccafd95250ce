<?php
$host = 'db.example';
$list = ['port' => 5432, 'deep' => ['er' => 'x']];
$CONFIG = [
    'dbhost' => <<<HOST
        $host:{$list['port']}
        HOST,
    'secret' => <<<'RAW'
    hunter2 $host {$list['port']} \n "quoted" it's
    RAW . '!',
    'text' => <<<"END"
  first "quoted" $list[port]
    ENDING is not the end
  last {$list['deep']['er']} \x41\101 \$host \{$host}
  END,
    'empty' => <<<E
E,
    'after' => 1,
];
