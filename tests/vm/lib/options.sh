# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash disable=SC2034 # the OPT_ variables are read by whoever sources this
# The command line of tests/vm/run.

usage() {
	cat <<'TEXT'
usage: tests/vm/run [OPTION]... -- COMMAND...

Boots a stock Debian kernel in a virtual machine, runs COMMAND there as root with sh, powers off.
One word is a piece of shell text ('a && b'), several words are a command and its arguments.

  --machine bochs|qemu|kvm  Bochs emulates VT-x and is the default; qemu is QEMU's TCG, without
                            VT-x; kvm is QEMU on a machine that has /dev/kvm and nested VT-x
  --cpu MODEL[,+F|,-F]...   the machine's name of a CPU model, features F added or taken away, as in
                            corei7_haswell_4770,+smap,-vmx. Default with Bochs:
                            corei7_haswell_4770, with qemu: max, with kvm: host,+vmx,-la57
  --tcg OPTIONS             of QEMU's TCG; by default thread=single: CPUs take turns in one thread, for with
                            one each TCG 7.2 at times executes code that another CPU has replaced
  --smp N                   CPUs, 1 to 16 (1)
  --mem MIB                 memory in MiB, 256 to 3072, with Bochs to 2048 (512)
  --kernel NAME             6.1 (default) or 6.12, Debian's kernels for clouds; 6.1-generic or 6.12-generic,
                            those for all machines; or a full release as uname -r prints it
  --append "ARGS"           further kernel arguments; where one is given twice the last one counts,
                            and kaslr takes the default nokaslr away
  --timeout S               seconds until the guest is stopped (300)
  --add FILE[:GUESTPATH]    brings a host file, and the shared libraries it needs; without GUESTPATH
                            an executable goes to /bin, anything else to /root. May be repeated
  --out DIR                 brings back what the guest writes under /out, and console.log
  --disk MIB|FILE           a disk instead, empty or a copy of FILE, named in the guest's /etc/mercury-vm/disk
  --debugger FILE           Bochs's debugger carries out the commands of FILE, the last of which is to be c;
                            its output comes to FILE.out
  --tell S                  S seconds after COMMAND has begun, by this machine's clock, the word "over" is
                            at the beginning of the disk of --disk: the guest's clock is another
  --secure-boot PASSWORD    QEMU with Secure Boot on, by Debian's signed shim, GRUB and kernel. Where a key waits
                            for it (mokutil --import), shim's MOK manager enrolls it, by that password.
                            Brings efivarfs
  --allow REGEX             a kernel log line (extended regex) that is no failure, nor is the call trace behind it.
                            May be repeated
  --expect REGEX            one that there must be, and that is no failure. May be repeated
  --then COMMAND            shell text that runs once the machine has started again, by a reset, by
                            kexec or into a crash kernel, which COMMAND must bring about; the exit
                            status is this one's. Brings /boot/vmlinuz and kexec
  --help                    this text

COMMAND's stdout and stderr come through as they are produced. mercury-vmx, built for that kernel,
is where modprobe finds it and not loaded; MERCURY_KO=FILE installs another file instead. Kernels,
Bochs and built files are cached in MERCURY_CACHE (default ~/.cache/mercury). MERCURY_PROGRESS=1
shows a dot a second while the guest boots even where stderr is no terminal.

Exit status: COMMAND's own, or
    2  the command line is wrong
  124  the time was up
  125  no guest: something is missing, it did not come up, or it died without a word in its log
  126  the kernel log holds BUG, WARNING, an oops, a call trace, a panic, a stall or a lockup that neither
       --allow nor tests/vm/allow.txt names
TEXT
}

usage_error() {
	die "$EXIT_USAGE" "$* (tests/vm/run --help lists the options)"
}

# need_number OPTION VALUE MIN MAX
need_number() {
	if [[ ! $2 =~ ^[0-9]{1,6}$ ]] || ((10#$2 < $3 || 10#$2 > $4)); then
		usage_error "$1 takes a whole number from $3 to $4, not '$2'"
	fi
}

options_default() {
	OPT_MACHINE=bochs OPT_CPU='' OPT_SMP=1 OPT_MEM=512 OPT_KERNEL=6.1
	OPT_APPEND='' OPT_TIMEOUT=300 OPT_OUT='' OPT_DISK='' OPT_TCG='' OPT_TELL='' OPT_DEBUGGER='' OPT_THEN=''
	OPT_SECURE_BOOT=''
	OPT_ADD=() OPT_ALLOW=() OPT_EXPECT=() OPT_COMMAND=()
}

# option_set NAME VALUE: one option of those that take a value.
option_set() {
	case $1 in
	--machine)
		[[ $2 =~ ^(bochs|qemu|kvm)$ ]] ||
			usage_error "--machine is bochs, qemu or kvm, not '$2'"
		OPT_MACHINE=$2
		;;
	--cpu)
		[[ $2 =~ ^[A-Za-z0-9_.,=+-]+$ ]] || usage_error "--cpu is a model's name, not '$2'"
		OPT_CPU=$2
		;;
	--tcg)
		[[ $2 =~ ^[a-z0-9=,-]+$ ]] || usage_error "--tcg takes what -accel tcg,... does, not '$2'"
		OPT_TCG=$2
		;;
	--smp) need_number "$@" 1 16 && OPT_SMP=$((10#$2)) ;;
	--mem) need_number "$@" 256 3072 && OPT_MEM=$((10#$2)) ;;
	--kernel)
		[[ $2 =~ ^[0-9]+\.[0-9A-Za-z.+~-]+$ ]] ||
			usage_error "--kernel is 6.1, 6.12, 6.1-generic, 6.12-generic or a release" \
				"such as 6.1.0-50-cloud-amd64, not '$2'"
		OPT_KERNEL=$2
		;;
	--append)
		[[ $2 != *$'\n'* ]] || usage_error "--append is one line"
		OPT_APPEND+=" $2"
		((${#OPT_APPEND} <= 1500)) || usage_error "--append is at most 1500 characters"
		;;
	--timeout) need_number "$@" 1 86400 && OPT_TIMEOUT=$((10#$2)) ;;
	--add) option_add "$2" ;;
	--out) OPT_OUT=$2 ;;
	--disk) option_disk "$2" ;;
	--debugger)
		[[ -r $2 ]] || usage_error "--debugger: there is no file '$2'"
		OPT_DEBUGGER=$2
		;;
	--tell) need_number "$@" 1 86400 && OPT_TELL=$((10#$2)) ;;
	--allow)
		check_regex "$@"
		OPT_ALLOW+=("$2")
		;;
	--expect)
		check_regex "$@"
		OPT_EXPECT+=("$2")
		;;
	--secure-boot)
		[[ $2 =~ ^[a-z0-9]{8,16}$ ]] || usage_error "--secure-boot: a password is 8 to 16 of a-z and 0-9"
		OPT_SECURE_BOOT=$2
		;;
	--then)
		[[ -n $2 ]] || usage_error "--then: there is no command"
		OPT_THEN=$2
		;;
	*) return 1 ;;
	esac
}

option_disk() {
	if [[ -f $1 && -r $1 ]]; then
		OPT_DISK=$(realpath "$1")
	else
		[[ $1 != */* ]] || usage_error "--disk: there is no readable file '$1'"
		need_number --disk "$1" 1 8192
		OPT_DISK=$((10#$1))
	fi
}

option_add() {
	local file=$1

	# A colon separates the guest's path, unless the file itself has one in its name.
	[[ -e $file ]] || file=${1%:*}
	[[ -f $file && -r $file ]] || usage_error "--add: there is no readable file '$file'"
	[[ $file == "$1" || ${1##*:} == /* ]] ||
		usage_error "--add: the guest's path in '$1' does not start with a /"
	OPT_ADD+=("$1")
}

# check_regex OPTION REGEX
check_regex() {
	[[ -n $2 ]] || usage_error "$1: an empty expression would match everything"
	grep -qE -e "$2" </dev/null
	[[ $? -ne 2 ]] || usage_error "$1: '$2' is no extended regular expression"
}

# options_parse ARG...: sets the OPT_ variables; a mistake ends the script with a sentence.
options_parse() {
	options_default
	while (($#)); do
		case $1 in
		--help | -h)
			usage
			exit 0
			;;
		--)
			shift
			OPT_COMMAND=("$@")
			break
			;;
		--*=*)
			set -- "${1%%=*}" "${1#*=}" "${@:2}"
			continue
			;;
		-*)
			if (($# < 2)) || [[ $2 == -- ]]; then
				option_exists "$1" || usage_error "$1 is no option"
				usage_error "$1 takes a value"
			fi
			option_set "$1" "$2" || usage_error "$1 is no option"
			shift 2
			;;
		*) usage_error "'$1' is no option; the command comes after --" ;;
		esac
	done
	((${#OPT_COMMAND[@]})) || usage_error "there is no command; it comes last, after --"
	options_check
}

option_exists() {
	[[ $1 =~ ^--(machine|cpu|tcg|smp|mem|kernel|append|timeout|add|out|disk|tell|debugger|secure-boot|allow|expect|then)$ ]]
}

# What concerns more than one option, and the defaults that depend on another.
options_check() {
	if [[ -n $OPT_OUT ]]; then
		if ! mkdir -p "$OPT_OUT" 2>/dev/null || [[ ! -w $OPT_OUT ]]; then
			usage_error "--out: the directory '$OPT_OUT' cannot be written"
		fi
		OPT_OUT=$(cd "$OPT_OUT" && pwd)
	fi
	[[ -z $OPT_DEBUGGER || $OPT_MACHINE == bochs ]] || usage_error "--debugger: it is Bochs's"
	[[ -z $OPT_SECURE_BOOT || $OPT_MACHINE == qemu ]] || usage_error "--secure-boot: that is of --machine qemu"
	[[ -z $OPT_SECURE_BOOT || -z $OPT_OUT$OPT_DISK ]] ||
		usage_error "--secure-boot: the guest has one disk, that of the firmware; leave --out and --disk out"
	[[ -z $OPT_TELL || -n $OPT_DISK ]] || usage_error "--tell: there is no disk; give --disk too"
	[[ -z $OPT_OUT || -z $OPT_DISK ]] || usage_error "--disk: the guest has one disk, that of --out"
	[[ -z $OPT_TCG || $OPT_MACHINE == qemu ]] || usage_error "--tcg: that is of --machine qemu"
	[[ $OPT_MACHINE != bochs || $OPT_MEM -le 2048 ]] ||
		usage_error "--mem: Bochs has at most 2048 MiB"
	# QEMU says itself what it does not understand; a word that Bochs is not given would be lost.
	[[ $OPT_MACHINE != bochs || $OPT_CPU =~ ^[a-z0-9_]*(,[+-][a-z0-9_.]+)*$ ]] ||
		usage_error "--cpu: Bochs takes MODEL,+FEATURE,-FEATURE..., not '$OPT_CPU'"
	[[ -n $OPT_CPU ]] && return
	case $OPT_MACHINE in
	bochs) OPT_CPU=corei7_haswell_4770 ;;
	qemu) OPT_CPU=max ;;
	kvm) OPT_CPU=host,+vmx,-la57 ;;
	esac
}

# kernel_args DEFAULTS: the kernel's command line. KASLR is off unless --append says kaslr.
kernel_args() {
	if [[ " $OPT_APPEND " == *' kaslr '* ]]; then
		echo "${1/ nokaslr / }$OPT_APPEND"
	else
		echo "$1$OPT_APPEND"
	fi
}
