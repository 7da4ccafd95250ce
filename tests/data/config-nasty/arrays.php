<?php
$base = ['a' => 1, 'b' => [1, 2]]; $more = [10, 20];
[$first, 'x' => $third] = ['x' => 3, 0 => 1];
list($l, $m) = $more;

$CONFIG = [
  ...$base, 'c' => [...$more, 30, ...$base],
  'first' => $first, 'third' => $third, 'l' => $l, 'm' => $m,
  'keys' => [5 => 'five', 'six', '7' => 'seven', 'eight', true => 'one', 1.7 => 'one again', null => 'empty', -3 => 'neg'],
  'merged' => array_merge(['x' => 1, 'y'], ['x' => 2, 'z']), 'plus' => ['x' => 1] + ['x' => 2, 'y' => 3],
  'count' => count($more), 'in' => in_array('20', $more), 'strict' => in_array('20', $more, true),
  'implode' => implode(',', $more), 'filter' => array_filter(['a', '', 0, 'b']), 'values' => array_values(array_filter(['', 'b'])),
  'map' => array_map('intval', explode(' ', '1 2x 3')), 'json' => json_decode('{"a":[1,{"b":null}]}', true),
  'replace' => str_replace(['{h}', '{p}'], ['host', 1], '{h}:{p}'), 'sprintf' => sprintf('%s:%d%%', 'h', '12'),
  'exists' => array_key_exists('a', $base), 'recursive' => array_replace_recursive(['r' => ['a' => 1, 'b' => 2]], ['r' => ['b' => 3]]),
  'dir' => dirname('/a/b/c.php', 2), 'here' => __DIR__, 'file' => basename(__FILE__, '.php'), 'line' => __LINE__,
];
