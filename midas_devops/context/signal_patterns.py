# ruff: noqa: RUF001 (the marks that test runners print are the data)
"""The shapes of lines that say what went wrong, as data: ``LABEL pattern``, an indented line continues it.

All of them are matched against a line without colours, timestamps and marks (see ``signals.bare``).
Sources: the output formats of the tools that each pattern names.
"""

from __future__ import annotations

from typing import Final

WRAPPERS: Final = r"""
- [Pp]rocess completed with exit code
- [Tt]he process '.*' failed (?:with exit code|because)
- script returned exit code
- returned (?:a )?non-?zero (?:exit )?(?:code|status)
- finished with non-zero exit value
- (?:exit(?:ed|ing)?|fail(?:ed|ure)?|return(?:ed)?|complete[d]?|terminated
    |finished)(?: with)?(?: an?)?(?: exit)? (?:code|status|value):? ?(?!0\b|124\b|134\b|137\b
    |139\b)\d+
- [Ee]xit(?:ed)? (?:code|status|with)? ?:? ?(?!0\b|124\b|134\b|137\b|139\b)\d+\.?$
- ^Got exit code
- ^g?make(?:\[\d+\])?: \*\*\* .*\bError \d+
- ^g?make(?:\[\d+\])?: Target .* not remade
- ^ninja: (?:build stopped|error: build failed)
- (?i:^npm (?:ERR!|error)) (?:code (?:ELIFECYCLE|\d+)\b|errno \d|Exit status|Failed at the
    |This is probably not|A complete log|Lifecycle script|path |command |workspace |location[ ]
    |\S+@\S+ \S+: `|Test failed\.  See above)
- \bELIFECYCLE\b
- ^error Command failed(?: with exit code|\.)
- ^\[?(?:ERROR|INFO)?\]? ?BUILD (?:FAILURE|FAILED)\b
- ^BUILD FAILED
- ^FAILURE: Build failed with an exception
- ^> (?:Process 'command|Compilation failed; see the compiler|There were failing tests)
- ^Execution failed for task[ ]
- ^Finished: (?:FAILURE|UNSTABLE|ABORTED)
- ^(?:ERROR: )?Job failed\b
- ^Build step .* marked build as failure
- Failed to execute goal .*(?:Compilation failure|There are test failures
    |There were errors in the forked VM|MojoFailureException|You have \d+)
- ^\[ERROR\]\s*(?:$|To see the full stack|Re-run Maven|For more information about|-> \[Help|\[Help
    |After correcting|mvn <args>|Please refer to .*surefire-reports)
- ^\w*Error: \S+ \d+/\d+ failed!
- ^(?:RuntimeError|Exception|Error): [\w./ -]{1,80} failed!?$
- ^collect2: (?:fatal )?error: ld returned
- ^clang(?:\+\+)?: error: linker command failed
- ^error: (?:could not compile .* due to|aborting due to|build failed
    |process didn't exit successfully|test failed, to rerun|could not execute process)
- ^Some errors have detailed explanations|^For more information about this error, try
- subprocess-exited-with-error|did not run successfully|This error originates from a subprocess
- ^╰─>|See above for output
- did not complete successfully: exit code|executor failed running
- ^FAILED \((?:failures|errors)=
- ^Execut(?:ing|ion of) .*custom container implementation failed
- ^Executing the custom container implementation failed
- Step script exited with code|This is a script/workflow error
- ^(?:\S*\.)?(?:CalledProcessError|SystemExit|AbortException)\b
- ^\*\*\* \w+ build failed|Configuring incomplete, errors occurred
- ^Error: Command failed\b
- command terminated with
- ^(?:Error|ERROR):? (?:Process|process)[ ]
- ^\[Pipeline\][ ]
- ^The command "?.*"? exited with
- ^(?:Test Suites|Tests|Snapshots):\s+\d+ failed
- ^(?:error|ERROR):? Failing build
- ^Error: exit status \d+
- ^\d+ (?:errors?|failures?)(?: and \d+ \w+)? (?:generated|found|detected)\.?$
- ^=+ .*\d+ (?:failed|errors?)\b.*=+$
- ^Failed in \d|^Found \d+ errors?(?:\.| in | \()|^✖ \d+ problems?|^Summary: \d+ failed
- ^error: script "?\S+"? exited with|^error: task failed|Skipped(?:.*) due to earlier failure
- ^Error: (?:Terraform|OpenTofu) encountered problems during initiali|^There are some problems with the[ ]
    (?:CLI )?configuration
- ^stage \S+ failed|^Error: (?:The operation|One or more) .*see (?:above|log)
"""
"""Consequences: what a platform or an outer tool says because something inside failed."""

NOISE: Final = r"""
- ^\s*\w[\w ()/-]{0,40}:\s+0(?:\.0+)?%?$
- (?i:^(?!.*\b[1-9]\d* (?:error|failure|failed|problem|issue|violation))
    (?!.*\b(?:errors?|failures?|failed)"?\s*[:=]\s*[1-9]).*
    \b(?:0|no|zero|without(?: any)?) (?:\w+ )?(?:errors?|failures?|failed|warnings? or errors?
    |problems?|issues|vulnerabilities|violations|exceptions?|crashes)\b)
- (?i:^(?!.*\b[1-9]\d* (?:error|failure|failed|problem|issue|violation))
    (?!.*\b(?:errors?|failures?|failed)"?\s*[:=]\s*[1-9]).*
    \b(?:errors?|failures?|failed|errored|exceptions?|timeouts?|retries)\b"?\s*[:=(]
    \s*"?(?:0\b(?!\.\d*[1-9])|none|false|null|nil|\[\]|""))
- (?:\bPASSED\b|\bPASS(?:ED)?:?$|^PASS\b|\bXFAIL\b|\bxfail(?:ed)?\b|\bSKIPPED\b|^--- (?:PASS|SKIP)
    |\.\.\. ?(?:ok|ignored|skipped|passed)\b|^\s*(?:ok|✓|√|✔|☑|\[PASS\]|\[ OK \]|\[       OK \]
    |\[ RUN      \])\s)
- ^(?!.*(?i:\berror|fail|unable|cannot|could not|\bnot\b)).*\b(?:succeeded|[Ss]uccessful(?:ly)?)\b
- ^\s*(?:if|elif|else|for|while|def|class|return|import|from|function|const|let|var|case|try|except
    |catch|esac|fi|then|done|export|trap|set) .*
- ^(?:if-no-files-found|continue-on-error|fail-fast|fail_on|fail-on-\w+|error-on-\w+
    |failOnError)\b.*
- (?i:^(?:compiling|building|copying|creating|adding|extracting|unpacking|installing|downloading
    |downloaded|collecting|cloning|fetching|linking|archiving|inflating|writing|reading|loading
    |parsing|uploading|generating|processing|resolved|requirement already|using cached|selecting
    |setting up|preparing|receiving|remote: (?:counting|compressing)|get:\d)\b(?! .*\b(?:failed
    |error:|fatal|denied|timed out|not found|refused)))
- ^\s*(?:\[ ?\d+(?:%|/\d+)\]|\(\d+/\d+\)) (?!.*(?:FAILED|error:|Error \d))
- ^\s*(?:inflating|creating|adding|a|x) ?:? +\S+$
- ^\[?(?:TRACE|trace)\b
- ^(?:Start|Running|Executing|Test(?:ing)?|RUN|=== (?:RUN|PAUSE|CONT))\b(?!.*(?i:\bfailed|error:
    |fatal|timed out))
"""
"""Lines that use the words of failure and report none."""

CAUSES: Final = r"""
5:oom (?i:out of memory|OutOfMemory|cannot allocate memory|OOM-?Killed|oom[-_ ]kill
    |heap limit Allocation|\bENOMEM\b|memory cgroup|exit(?:ed with)?(?: code| status)?:? 137\b)
5:killed ^(?:.*: )?(?:line \d+: +\d+ )?(?:Killed|Segmentation fault|Bus error|Aborted
    |Illegal instruction)\b|core dumped|signal: (?:killed|segmentation|aborted)|SIG(?:KILL|SEGV|ABRT
    |BUS)\b|exit(?:ed with)?(?: code| status)?:? 13[49]\b|kernel panic
5:disk (?i:no space left on device|\bENOSPC\b|disk quota exceeded|disk is full|DiskPressure)
5:timeout (?i:deadline[ _]?exceeded|exceeded the (?:maximum|timeout|time limit)
    |exceeded its progress deadline|\bETIMEDOUT\b|took >\s?\d+ ?\w+|returning 124\b
    |exit(?:ed with)?(?: code| status)?:? 124\b|timed out (?:after|waiting)|has timed out
    |cancelled due to timeout|(?:operation|request|connection|command|job|build|step|read|wait\w*
    |lock|test|script)\b[^.]{0,40} timed out|timeout (?:exceeded|expired|reached|of \d+|waiting)
    |while waiting for (?:state|condition|resource))
5:cancelled (?i:received a shutdown signal|lost (?:connection|communication) (?:to|with))
5:cancelled (?i:\bthe (?:operation|run|job) was cancell?ed|^(?:Error: )?cancell?ed\b.*(?:job|run
    |build)|aborted by|cancelling since a higher priority)
5:network (?i:could not resolve host|name resolution|\bECONNREFUSED\b|\bECONNRESET\b|\bENOTFOUND\b
    |\bEAI_AGAIN\b|connection (?:refused|reset|aborted|closed by)|no route to host
    |network is unreachable|no such host|i/o timeout|tls handshake|x509:|CERTIFICATE_VERIFY_FAILED
    |SSL(?:Error| routines| certificate problem)|unable to access 'http|early EOF
    |unexpected disconnect|remote end hung up|^curl: \(\d+\))
5:quota (?i:rate limit|rate exceeded|too many requests|quota(?:s)? (?:\S+ )?(?:exceeded|reached
    |limit)|exceeded (?:your|the) (?:\w+ )?(?:quota|limit)|\w*LimitExceeded\w*|ServiceQuota\w*
    |toomanyrequests|throttl\w*Exception|exceeded quota|InsufficientInstanceCapacity)
5:auth Host key verification failed
5:auth (?i:authentication (?:failed|required)|bad credentials|invalid credentials
    |could not load credentials|credentials could not be loaded|no valid credential
    |unable to locate credentials|unauthorized|access ?denied|not authorized|permission denied
    |pull access denied|denied: |permission_denied|expiredtoken|invalid(?:client)?token\w*
    |token (?:has |is )?expired|requested access to the resource is denied|is forbidden\b
    |\bforbidden:|403 Forbidden|Resource not accessible by|insufficient (?:permission|privilege)
    |could not read Username|publickey|must have admin rights|authorizationfailed)
5:terraform \b(?:CREATE|UPDATE|DELETE|IMPORT)_FAILED\b|^(?:\* )?[Ee]rror (?:creating|updating
    |deleting|reading) [\w ]+:
5:terraform ^[│|]?\s*Error: (?!Process|Command failed|exit)|"@level":\s*"error"
    |^Error (?:acquiring the state lock|applying plan|creating|updating|deleting|reading)\b
    |Error: Invalid |Unsupported (?:argument|block type)
5:kubernetes CrashLoopBackOff|ImagePullBackOff|ErrImagePull|InvalidImageName
    |CreateContainer(?:Config)?Error|FailedScheduling|FailedMount|FailedAttachVolume|FailedCreate\b
    |Back-off (?:restarting|pulling)|(?:Readiness|Liveness|Startup) probe failed
    |ProgressDeadlineExceeded|The \w+ ".*" is invalid|error (?:validating|parsing|when creating)[ ]
    |UPGRADE FAILED|INSTALLATION FAILED|Insufficient (?:cpu|memory|pods)|\bEvicted\b
    |admission webhook .* denied
5:docker Error response from daemon|failed to solve|manifest (?:for \S+ )?(?:unknown|not found)
    |dockerfile parse error|failed to compute cache key|failed to (?:register|extract) layer
    |invalid reference format
5:git ^fatal: |^CONFLICT \(|! \[(?:remote )?rejected\]|^error: (?:failed to push|pathspec
    |could not apply|Your local changes|unable to)|[Mm]erge conflict|non-fast-forward
    |Automatic merge failed
5:dependency (?i:requirements are unsatisfiable|version solving failed|could not be resolved
    |package \S+ available
    |could not find compatible|Can't locate \S+ in @INC|failed to resolve import|no package called)
5:dependency (?:No matching distribution|Could not find a version|ResolutionImpossible|\bERESOLVE\b
    |\bETARGET\b|\bE404\b|\bEBADENGINE\b|\bEINTEGRITY\b|[Uu]nable to resolve dependency
    |Could not (?:resolve|find artifact|determine the dependencies|GET)|No module named
    |Cannot find (?:module|package)|[Mm]odule not found|Can't resolve '|Unable to locate package
    |no matching package|failed to select a version|ERR_PNPM_\w+|cannot find (?:module|package)
    |unmet dependencies|HASH.*DO NOT MATCH|checksum mismatch|failed to get `|Failed building wheel
    |Failed to build \S+|missing go\.sum|no required module provides|frozen[- ]lockfile
    |package-lock\.json.*(?:in sync|not)|Couldn't find any versions|Failed to download|ClassNotFound
    |NoClassDefFound)
5:panic ^Unhandled exception|^\*\* \(\w+\)[ ]
5:panic ^panic: |thread '.*' panicked at|^fatal error: (?!.*file not found)|^Fatal Python error
    |PHP (?:Fatal|Parse) error|^Uncaught |unhandled (?:exception|rejection)
    |UnhandledPromiseRejection|INTERNAL ERROR
5:compiler ^WorkflowScript: \d+:|Invalid workflow file|^Failed to compile|^== Compilation error
5:compiler ^(?:In file included from )?[^\s:()]+\.\w+(?::\d+(?::\d+)?
    |\(\d+(?:,\d+)?\)):? ?:? *(?:fatal )?error\b|^error(?:\[E\d+\])(?:: |\b)|\berror (?:TS|CS|MSB|NU
    |LNK|C|FS|VB|NETSDK)\d+\b|undefined reference to|undefined symbols? |duplicate symbol
    |multiple definition of|cannot find -l|ld: (?:symbol|library|cannot|error)
    |^\[ERROR\] \S+\.\w+:\[\d+,\d+\]|^e: \S+\.kts?|^[\w./-]+\.go:\d+:\d+: |CMake Error
    |No rule to make target|[Nn]o such file or directory.*#include|fatal error: .*file not found
    |^error: (?:cannot find|expected|mismatched|unresolved|linking|no |use of|unused|cannot)
    |cannot find symbol|SyntaxError|TSError|ParseError|IndentationError|missing separator
5:assertion \bXCT\w+ failed|\bAssert\.\w+\(\) Failure|^Failure/Error:
5:assertion ^E {2,}(?!\+|-|\?|\.\.\.|at index|Full diff|Use -v|Omitting|where |and )\S
    |AssertionError|AssertionFailed\w*|[Aa]ssertion [`'"]?.*failed|assert(?:ion)? failed
    |ComparisonFailure
5:test ^FAILED (?!\()\S|^ERROR \S+(?:::\S+|\.py)\b|^FAIL:? +\S|--- FAIL:|^\[  FAILED  \] \S
    |^not ok \d|^_{3,} (?!.*\bsummary\b).+ _{3,}$|^(?:FAIL|ERROR): \S+ \(|^\s*● .+ ›
    |^test .+ \.\.\. FAILED|^\s*(?:✗|✘|✕|✖|×|\[FAIL\]|❌) (?!.*\S {3,}\S)\S
    |^\s*Failed \S+ \[|<<< (?:FAILURE|ERROR)!
    |^rspec \./\S+:\d+|\S+::\S+ (?:FAILED|ERROR)\b|^\S+ > .+ FAILED$|^//\S+ +(?:FAILED|TIMEOUT)
    |^FAIL //|^---- .+ stdout ----$
5:exception ^(?:E\s+)?(?:Caused by: |Exception in thread "[^"]*" |Uncaught[ ]
    |Unhandled )?(?:[\w$-]+[.:]{1,2})*\w*(?:(?<!No)Error|Exception|Fault|Failure|Refused|NotFound
    |Interrupt|Timeout)(?: \[\w+\])?: \S|^Caused by: |^(?:[\w$]+\.)*[A-Z]\w*(?:Error|Exception)$
    |^\w+(?:::\w+)+Error \(|An error occurred \(\w+\)|^(?:[\w$]+\.)+[A-Z]\w*Exception\b
5:gradle ^\* What went wrong:|^> (?:Could not|Cannot|Failed to|A problem|No matching|Unable)
5:ansible ^fatal: \[|FAILED! =>|UNREACHABLE! =>
5:database ^SQL State +:|^Migration \S+ failed
5:database (?:ERROR|FATAL): +(?:relation|column|password|database|role|duplicate key|deadlock|syntax
    |permission|remaining|could not)|SQLSTATE\[?\w|ORA-\d{5}|ERROR \d{4} \(\w{5}\)|Lock wait timeout
    |could not connect to server
5:gate (?i:quality gate (?:status: )?failed|coverage .*(?:below|not (?:met|reached)|less than|under)
    |required test coverage|threshold .* not met|Code style issues|would (?:be )?reformat(?:ted)?\b
    |would be left unformatted|violates? the following Content)
5:http (?:HTTP(?:/\d(?:\.\d)?)?|status(?:[ _-]?code)?|response(?: code)?|returned
    |error)[ :="']{1,4}[45]\d\d\b|\b[45]\d\d (?:Bad Request|Unauthorized|Forbidden|Not Found
    |Conflict|Gone|Unprocessable|Too Many|Internal Server|Bad Gateway|Service Unavailable
    |Gateway Time)
5:shell : (?:command )?not found$|command not found|[Nn]o such file or directory|unbound variable
    |syntax error\b|is not recognized as|[Pp]ermission denied|bad interpreter|[Ee]xec format error
    |required file not found
    |Text file busy|cannot execute binary|\bENOENT\b|\bEACCES\b|\bEADDRINUSE\b
    |address already in use
5:systemd Failed with result '|code=exited, status=\d+/|Failed to start |Main process exited
    |Start request repeated too quickly
5:lint \.{5,}Failed$|^>> Issue: \[|^Diff in \S+:|^[\w.]+ is not allowed to import[ ]
5:lint ^\S+\.\w+:\d+(?::\d+)?:? (?:error:? )?(?:[A-Z]{1,4}\d{2,4}|error|\[\w+\])[ ]
    |^\s+\d+:\d+\s+error\s|^\S+:\d+ (?:DL|SC|CKV)\w*\d+ |^\s*>>> Lint for |^\S+:\d+:\d+: .* \(\w+\)$
    |^Check: CKV|^error\s+-\s|rule violated
4:traceback ^Traceback \(most recent call last\)|^goroutine \d+ \[|stack backtrace:
    |Unhandled exception at
4:lint ^\s+\d+:\d+\s+(?:warning|✖)\s|^\s*(?:Warning|Error|Advice) \([A-Z_]+\)
    |^\S+\.\w+:\d+(?::\d+)?: \w
4:test ^\s+\d+\) \S|^Tests run:.*(?:Failures|Errors): [1-9]|^\S+ \(\S+\)  Time elapsed.*(?:FAILURE
    |ERROR)|^FAILURES!|\bFAILED\b|\bTIMEOUT\b|^not ok\b|^# FAIL
4:error \b(?:ERROR|FATAL|CRITICAL|SEVERE|EMERG|ALERT)\b(?![-_/]|\.\w)|(?<![\w./-])(?:[Ee]rror
    |[Ff]atal|[Cc]ritical)(?:\(s\))?(?: \w+)?\s?: ?\S|^[Ee]rror(?: \w|s )|"(?:level|severity|lvl
    |@level|log\.level)"\s*:\s*"?(?i:error|fatal|critical|panic|emerg|alert|50|60)\b
    |\blevel=(?i:error|fatal|panic|critical)\b|\bERR!|\[(?:error|fatal|err|E|emerg|alert|crit)\]|\bE: \S
3:failure (?i:(?<![\w./-])(?:failed|failure|fails|failing|fail|cannot|can't|could not|couldn't
    |unable to|refused|denied|rejected|aborted?|aborting|crash(?:ed)?|fatal|invalid|illegal
    |corrupt(?:ed)?|mismatch(?:ed)?|unexpected|violat\w+|conflicts?|exceed(?:ed|s)|not found
    |does not exist|doesn't exist|already exists|already in use|missing|unsupported|unknown
    |undefined|unresolved|incompatible|unhealthy|unreachable|not (?:allowed|permitted|supported
    |valid|ready|set|available|up to date)|no such|too (?:large|long|many|old|big)|(?:may|must) not exceed
    |does not (?:match|host|contain|support|satisfy|have)|no \S+ entry for|nothing provides|cancell?ed
    |not formatted|not defined|not met|closed the connection|could not be established
    |disappeared|should (?:be an?|implement|contain)
    |timed? ?out|expired|is required|must (?:be|have|not)|panic|broken
    |dead ?lock\w*|interrupted|insufficient|drift(?:ed)?|locked)(?![\w/]|\.\w|-\w))
3:error (?i:(?<![\w./-])(?:errors?|exceptions?|errored|wrong|faulty?)(?![\w/]|\.\w|-\w|=0|: 0))
    |\w(?:Error|Exception)\b
2:warning (?i:(?<![\w./-])(?:warn|warning|warnings|deprecated|caution|notice of failure)(?![\w/]
    |\.\w|-\w)|^W\d{4} )|^\^+~*$|^\s+\| +\^
"""
"""``strength:kind pattern``; within the highest strength that matches, the first kind decides."""

CAPS: Final = r"""
1 ^\+{1,3} |^\[command\]|^\$ |^> \S+@\S+ \S+$|^Run \S|^(?:raise|throw)\b|^echo |\becho ["']|^shell:[ ]
    |^with:|^env:
1 ^\s*(?:raise |throw |throws |self\.fail|pytest\.fail|assert |t\.(?:Fatal|Error)f?\(|logger?\.
    |console\.|print\(|println|fmt\.|return |expect\()|DeprecationWarning|FutureWarning
    |\bSyntaxWarning|ResourceWarning|UserWarning|^npm (?i:warn)\b.*deprecated|ExperimentalWarning
2 ^(?:\[?(?:WARN|WARNING|Warning(?!\s+[A-Z]\w+\s+\d+[smhd])|warning|warn|INFO|info|DEBUG|debug
    |NOTICE|VERBOSE)\]?)(?::| |\]|\t)
    |^\S+ (?:WARN|WARNING|INFO|DEBUG) |\blevel=(?:info|debug|warn|warning|trace)\b|"(?:@?level
    |severity)"\s*:\s*"(?i:info|debug|warn|warning|notice|trace)"|^npm (?i:warn)\b|(?<!\w)(?:INFO
    |DEBUG)(?!\w).*|: (?:warning|note|info|remark):|^(?:warning|note)[:\[( ]
2 (?i:\b(?:ignored|ignoring|non-?fatal|not fatal|harmless|expected failure|expected error
    |can be safely|continuing(?: anyway)?|continue anyway|proceeding|allowed to fail|allow_failure
    |optional|best[- ]effort|falling back|fallback|skipp(?:ed|ing)|suppressed|will be ignored
    |tolerat\w+)\b)
3 (?i:\b(?:re-?try(?:ing)?|retries|attempt \d+(?: of |/)\d+|will retry|back(?:ing)? off \d
    |trying again|\(\d+ of \d+\)|reconnect\w*)\b)(?!.*(?:giving up|exhausted|exceeded))
"""
"""``cap pattern``: no line that matches is stronger than its cap (echoed commands, source code, warnings)."""
