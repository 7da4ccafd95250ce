<?php
$CONFIG = [
  'hex' => 0x1F, 'octal' => 0770, 'octal8' => 0o17, 'bin' => 0b101, 'under' => 1_000_000,
  'neg' => -1, 'plus' => +5, 'float' => 1.5e3, 'dot' => .5, 'tail' => 6., 'big' => 9223372036854775807,
  'sum' => 60 * 60 * 24 + 5 - 2, 'div' => 10 / 4, 'intdiv' => 10 / 5, 'mod' => 10 % 3, 'pow' => 2 ** 10, 'negpow' => -2 ** 2,
  'prec' => 1 + 2 . '3' + 4, 'shift' => 1 << 4 | 1, 'xor' => 6 ^ 3, 'not' => ~0,
  'cast' => (int) '12abc' + (int) 3.9, 'bool' => (bool) '0', 'string' => (string) 7, 'floatcast' => (float) '1.5', 'array' => (array) 'x',
  'intval' => intval('0770', 8), 'max' => max(1, 5, 3), 'zero' => 1 / 0, 'cmp' => [1 <=> 2, '10' == '1e1', 0 == 'a', null ?? 'd', 'abc' < 'abd', '1' === 1],
];
