// Run with `php -r`: reads Nextcloud's configuration as lib/private/Config.php does and prints it.
// Arguments: the mark before the answer, the names of variables that PHP was not given (with
// commas), Nextcloud's folder or nothing, the files.
[, $npMark, $npWithheld, $npRoot] = $argv;
if ($npRoot !== '') {
    class OC { public static $SERVERROOT = ''; public static $WEBROOT = ''; }
    OC::$SERVERROOT = $npRoot;
}
final class NotifyPushReader {
    public static $answer = ['ended' => true];
    private $cache = [];
    private $files = [];
    public function readData($configFiles, $npNames) {
        foreach ($configFiles as $file) {
            unset($CONFIG);
            $filePointer = fopen($file, 'r');
            if ($filePointer === false || !flock($filePointer, LOCK_SH)) {
                throw new RuntimeException('unreadable');
            }
            $this->files[] = $file;
            try {
                include $file;
            } finally {
                flock($filePointer, LOCK_UN);
            }
            if (isset($CONFIG) && is_array($CONFIG)) {
                foreach ($CONFIG as $npKey => $npValue) {
                    $npOrigin = end($this->files);
                    if (is_int($npKey)) { $this->cache[] = [$npOrigin, $npValue]; }
                    else { $this->cache[$npKey] = [$npOrigin, $npValue]; }
                }
            }
        }
        foreach (get_included_files() as $included) {
            foreach ($npNames as $name) {
                if (preg_match('/[\'"]' . $name . '[\'"]/', (string)@file_get_contents($included))) {
                    self::$answer = ['withheld' => $name];
                    return;
                }
            }
        }
        $values = [];
        foreach ($this->cache as $key => [$origin, $value]) {
            $values[] = [$key, $origin, self::portable($value, 0)];
        }
        self::$answer = ['values' => $values];
    }
    private static function portable($value, $depth) {
        if (is_array($value) && $depth < 40) {
            $elements = [];
            foreach ($value as $key => $element) {
                $elements[] = [self::portable($key, $depth), self::portable($element, $depth + 1)];
            }
            return ['array' => $elements];
        }
        $plain = $value === null || is_bool($value) || is_int($value)
            || (is_float($value) && is_finite($value))
            || (is_string($value) && preg_match('//u', $value));
        return $plain ? $value : ['unknown' => true];
    }
}
register_shutdown_function(function () use ($npMark) {
    $error = error_get_last();
    $fatal = E_ERROR | E_PARSE | E_CORE_ERROR | E_COMPILE_ERROR | E_USER_ERROR;
    if (isset(NotifyPushReader::$answer['ended']) && $error && ($error['type'] & $fatal)) {
        NotifyPushReader::$answer = [
            'error' => 'a fatal error', 'file' => $error['file'], 'line' => $error['line'],
        ];
    }
    while (ob_get_level() > 0 && ob_end_clean());
    $flags = JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_PARTIAL_OUTPUT_ON_ERROR;
    echo "\n", $npMark, json_encode(NotifyPushReader::$answer, $flags), "\n";
});
ob_start();
try {
    (new NotifyPushReader())->readData(
        array_slice($argv, 4), $npWithheld === '' ? [] : explode(',', $npWithheld)
    );
} catch (Throwable $npError) {
    NotifyPushReader::$answer = [
        'error' => get_class($npError), 'file' => $npError->getFile(), 'line' => $npError->getLine(),
    ];
}
