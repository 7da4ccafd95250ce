<?php
$CONFIG = ['a' => 1, 'list' => ['x', 'y']];
$ref = &$CONFIG['a'];
foreach ($CONFIG['list'] as &$item) { $item = strtoupper($item); }
$CONFIG['b'] = $$name;
$CONFIG['c'] = "${$name} x";
$CONFIG['obj']->x = 1;
$CONFIG['d'] = (object) ['a' => 1];
$CONFIG['e'] = print 'x';
$CONFIG['f'] = strlen(...);
$CONFIG['g'] = trim(string: ' x ');
$CONFIG['h'] = 'known';
