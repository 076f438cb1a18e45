# Install the Tidegate command line for this user: with uv or pipx if present, else in a virtual
# environment of its own. Needs no administrator, changes nothing but what it says.
$ErrorActionPreference = 'Stop'

$PublicUrl = @PUBLIC_URL@
$WheelUrl = @WHEEL_URL@

function Test-Command([string] $Name) {
  [bool] (Get-Command $Name -ErrorAction SilentlyContinue)
}

function Invoke-Checked([string] $Program, [string[]] $Arguments) {
  & $Program @Arguments
  if ($LASTEXITCODE -ne 0) { throw "$Program failed with exit code $LASTEXITCODE." }
}

function Find-Python {
  foreach ($candidate in 'python3', 'python', 'py') {
    if (Test-Command $candidate) {
      & $candidate -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>$null
      if ($LASTEXITCODE -eq 0) { return $candidate }
    }
  }
  throw 'Python 3.11 or newer is needed and was not found. Install it, or uv, and run this again.'
}

function Install-InVenv([string] $Python) {
  $target = Join-Path $env:LOCALAPPDATA 'tidegate-cli'
  Invoke-Checked $Python @('-m', 'venv', '--clear', $target)
  $own = Join-Path $target 'Scripts\python.exe'
  Invoke-Checked $own @('-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', "tidegate @ $WheelUrl")
  Write-Host "`nAdd $(Join-Path $target 'Scripts') to your PATH and open a new terminal."
}

if (Test-Command 'uv') {
  Invoke-Checked 'uv' @('tool', 'install', '--force', '--python', '>=3.11', "tidegate @ $WheelUrl")
} elseif (Test-Command 'pipx') {
  Invoke-Checked 'pipx' @('install', '--force', '--python', (Find-Python), "tidegate @ $WheelUrl")
} else {
  Install-InVenv (Find-Python)
}

Write-Host "`nTidegate is installed. With the code of your enrolment, run:`n"
Write-Host "  tidegate login $PublicUrl CODE`n"
