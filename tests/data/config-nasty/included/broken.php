<?php
return ['password' => 'hunter2;
