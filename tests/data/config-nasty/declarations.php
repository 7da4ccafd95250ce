<?php
declare(strict_types=1);
namespace Admin\Config;
use OC\Memcache\Redis, Foo\{Bar, Baz as Qux};
use function strlen;
/** It's a doc block with 'quotes" and $CONFIG = [ */
#[Pure]
function helper(string $a = '}', array $b = ["{$x['y']}"]): ?string { if (true) { return '}'; } return "{$a}"; }
abstract class Thing extends \Other implements A, B { public const X = '}'; private $c = ['{']; function f() { return <<<T
  } not the end
  T; } }
final class Two {}
interface I {} trait T {} enum Suit: string { case A = 'a'; }
ini_set('memory_limit', '512M'); error_reporting(E_ALL & ~E_NOTICE); date_default_timezone_set("UTC");
setlocale(LC_ALL, 'de_DE.UTF-8') or error_log('hunter2');
const PORT = 6379;
define('REDIS_HOST', getenv('REDIS_HOST') ?: 'localhost');
\define('DEBUG', false);
static $x = 1; global $CONFIG; goto end; end:
$CONFIG = [
    'redis' => ['host' => REDIS_HOST, 'port' => PORT, 'class' => \OC\Memcache\Redis::class],
    'debug' => \DEBUG, 'own' => defined('DEBUG'), 'true' => TRUE, 'null' => \NULL ?? 'n',
    'dbdriveroptions' => [\PDO::MYSQL_ATTR_SSL_CA => '/ca.pem', PDO::MYSQL_ATTR_SSL_VERIFY_SERVER_CERT => false, \Pdo\Mysql::ATTR_SSL_KEY => '/k'],
    'redis.cluster' => ['failover_mode' => \RedisCluster::FAILOVER_DISTRIBUTE],
];
echo "done: {$CONFIG['redis']['host']}\n", 'x';
return;
$CONFIG['after'] = 'return';
