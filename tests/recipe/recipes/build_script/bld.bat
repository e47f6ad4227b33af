"%PYTHON%" -m pip install . --no-deps
if errorlevel 1 exit 1
