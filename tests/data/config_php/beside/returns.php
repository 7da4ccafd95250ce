<?php
$fromReturns = "set";
return ["dbhost" => "returned", "deep" => ["x" => getenv("E")]];
