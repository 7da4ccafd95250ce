<?php
// What PHP makes of configuration files, for the tests: `php oracle.php` reads lines of JSON, each with a
// "file" and its "environment", and prints one line for each: {"config": ...} or {"failed": ...}. Every
// file runs in a process of its own. Arrays come as {"array": [[key, value], ...]}.
function portable($value, $depth = 0) {
    if (is_array($value)) {
        if ($depth > 40) {
            return ['odd' => true];
        }
        $elements = [];
        foreach ($value as $key => $element) {
            $elements[] = [$key, portable($element, $depth + 1)];
        }
        return ['array' => $elements];
    }
    $odd = is_object($value) || is_resource($value) || (is_float($value) && !is_finite($value))
        || (is_string($value) && !preg_match('//u', $value));
    return $odd ? ['odd' => true] : $value;
}
class Config {
    public function readData($file) {
        include $file;
        return isset($CONFIG) && is_array($CONFIG) ? $CONFIG : [];
    }
}
function answer($socket, $answer) {
    $flags = JSON_PRESERVE_ZERO_FRACTION | JSON_UNESCAPED_UNICODE | JSON_UNESCAPED_SLASHES;
    fwrite($socket, json_encode($answer, $flags) . "\n");
}
foreach (file('php://stdin') as $line) {
    $task = json_decode($line, true);
    [$ours, $theirs] = stream_socket_pair(STREAM_PF_UNIX, STREAM_SOCK_STREAM, 0);
    $child = pcntl_fork();
    if ($child === 0) {
        fclose($ours);
        ob_start();
        foreach ($task['environment'] as $name => $value) {
            putenv("$name=$value");
        }
        pcntl_alarm(1);
        try {
            answer($theirs, ['config' => portable((new Config())->readData($task['file']))]);
        } catch (Throwable $error) {
            answer($theirs, ['failed' => get_class($error) . ': ' . $error->getMessage()]);
        }
        while (ob_get_level() > 0 && ob_end_clean());
        posix_kill(getmypid(), 9);
    }
    fclose($theirs);
    $printed = stream_get_contents($ours);
    pcntl_waitpid($child, $status);
    echo $printed === '' ? "{\"failed\": \"it ended\"}\n" : $printed;
}
