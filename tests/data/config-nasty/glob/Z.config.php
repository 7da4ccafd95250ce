<?php
if (getenv('Z')) { $CONFIG['dbhost'] = 'z'; }
