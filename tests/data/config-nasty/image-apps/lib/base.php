<?php
// Stands for Nextcloud's own.
