<?php
$debug = getenv('DEBUG') === 'yes';
$CONFIG = ['debug' => $debug, 'log' => !$debug && true, 'env' => $_ENV['STAGE'] ?? 'none', 'server' => $_SERVER['STAGE'] ?: 'x'];
if ($debug):
    $CONFIG['loglevel'] = 0;
elseif (isset($CONFIG['nothing'], $CONFIG['debug'])):
    $CONFIG['loglevel'] = 1;
else:
    $CONFIG['loglevel'] = 2;
endif;
if (empty($CONFIG['dbhost']) and !isset($CONFIG['redis']['host'])) $CONFIG['dbhost'] = 'default';
else $CONFIG['dbhost'] .= '-kept';
switch (getenv('STAGE')) {
    case 'dev': $CONFIG['dbname'] = 'dev'; break;
    case 'prod':
        $CONFIG['dbname'] = 'prod';
        // falls through
    case 'other':
        $CONFIG['shared'] = true;
        break;
    default:
        $CONFIG['dbname'] = 'default';
}
$CONFIG['port'] ??= (int) (getenv('PORT') ?: 7867);
$CONFIG['port'] ??= 1;
foreach (explode(',', getenv('PROXIES')) as $n => $proxy) {
    if (!$proxy) { continue; }
    $CONFIG['trusted_proxies'][] = "$n=" . trim($proxy);
}
