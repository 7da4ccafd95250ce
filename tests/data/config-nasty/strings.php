<?php
$host = 'h'; $port = 6379; $a = ['k' => 'v', 'n' => [1, 2]]; $i = 1;
$CONFIG = [
  'single' => 'it\'s \\ a \n $host "q" \x41',
  'double' => "it's \"q\" \\ \x41 \u{42} \103 \$host \e[0m \q",
  'simple' => "$host:$port",
  'braces' => "{$host}-${port}-{$a['k']}-$a[k]-{$a['n'][1]}-{$a["k"]}",
  'not' => "$ {$host} $1 {a} a@b.c $",
  'nested' => "{$a['n'][ $i ]} {$a["k"]}",
  'concat' => 'a' . "b" . 1 . 2.5 . true . null . false,
  'dbpassword' => 'p@ss$word"#//;/*?>',
  'binary' => b'x' . B"y",
];
