Some text before, with $CONFIG = 'nonsense';
<?php
$CONFIG = array('dbhost' => 'localhost', 'dbuser' => 'nc', );
?>

<p>It's a "page" with $CONFIG['dbhost'] = 'wrong';</p>
<?php /* comment */ $CONFIG['dbname'] = 'second' ?>
trailing text <?= $CONFIG['dbhost'] ?>
<?xml version="1.0"?>
