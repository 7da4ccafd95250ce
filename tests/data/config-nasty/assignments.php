<?php
$CONFIG['dbtype'] = 'pgsql';
$CONFIG['redis']['host'] = $CONFIG['redis_host'] = 'cache';
$n = 5; $n++; ++$n; $n -= 2; $n *= 3;
$CONFIG['n'] = $n;
$s = 'a'; $s .= 'b'; $CONFIG['s'] = $s;
$CONFIG['ternary'] = $n > 10 ? ($n > 20 ? 'big' : 'middle') : 'small';
$CONFIG['short'] = '' ?: 0 ?: 'last';
$CONFIG['coalesce'] = $CONFIG['x']['y'] ?? $nope['z'] ?? null ?? 'deep';
if (($env = getenv('HOME_DIR')) !== false) { $CONFIG['env'] = $env; }
$CONFIG['filter'] = filter_var(getenv('FLAG'), FILTER_VALIDATE_BOOLEAN);
$CONFIG['all'] = isset(getenv()['FLAG']) ? getenv()['FLAG'] : 'no';
$CONFIG['url'] = 'http' . (getenv('TLS') ? 's' : '') . '://' . ltrim(strtoupper('/host'), '/');
$copy = $CONFIG['redis']; $copy['host'] = 'changed'; $CONFIG['copy'] = $copy;
