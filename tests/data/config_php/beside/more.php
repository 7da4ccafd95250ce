<?php
$CONFIG["dbhost"] = "from more"; $CONFIG["more"] = 1;
