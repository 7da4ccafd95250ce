<?php
$CONFIG = array (
  'datadirectory' => \OC::$SERVERROOT . '/data',
  'instanceid' => \OC::$other,
);
