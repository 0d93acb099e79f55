//! Words that no generated library may be called: a header with such a name as a type, or a crate, would not compile or would hide
//! what belongs to others.

/// True if Rust, C, C++, their libraries or build systems have another use for the word. Words are in lower case, as all names of
/// generated code are; capitals in macros (`NULL`, `EOF`) cannot clash, since generated macros have a name behind the prefix.
pub(crate) fn is_reserved(word: &str) -> bool {
    // Integer types of stdint.h in all their widths.
    let integer = word.strip_suffix("_t").is_some_and(|stem| {
        let stem = stem.trim_start_matches('u');
        let stem = ["int_least", "int_fast", "int", "char"].iter().find_map(|s| stem.strip_prefix(s));
        stem.is_some_and(|bits| bits == "ptr" || bits == "max" || bits.bytes().all(|b| b.is_ascii_digit()))
    });
    integer || LISTS.iter().any(|list| list.split_whitespace().any(|reserved| reserved == word))
}

const LISTS: [&str; 8] = [
    // Keywords of C and C++, and what common compilers take for one.
    "alignas alignof and and_eq asm atomic_cancel atomic_commit atomic_noexcept auto bitand bitor bool break case catch char \
     class compl concept const const_cast consteval constexpr constinit continue co_await co_return co_yield decltype default \
     delete do double dynamic_cast else enum explicit export extern false final float for friend goto if import inline int long \
     module mutable namespace new noexcept not not_eq nullptr operator or or_eq override private protected public reflexpr \
     register reinterpret_cast requires restrict return short signed sizeof static static_assert static_cast struct switch \
     synchronized template this thread_local throw true try typedef typeid typename typeof typeof_unqual union unsigned using \
     virtual void volatile while xor xor_eq far near huge pascal cdecl fortran interrupt linux unix i386 arm riscv",
    // Keywords and built-in names of Rust.
    "abstract as async await become box crate dyn fn gen impl in let loop macro match mod move mut priv proc pub raw ref safe \
     self super trait type unsafe unsized use where yield str u8 u16 u32 u64 u128 usize i8 i16 i32 i64 i128 isize f16 f32 f64 \
     f128 option some none result ok err vec string core std alloc proc_macro test smidgen smidgen_kernels",
    // Types and macros of C's headers that are in lower case.
    "size_t ssize_t ptrdiff_t max_align_t nullptr_t wchar_t wint_t wctrans_t wctype_t char8_t char16_t char32_t time_t clock_t \
     div_t ldiv_t lldiv_t imaxdiv_t fpos_t jmp_buf sig_atomic_t va_list va_start va_end va_arg va_copy lconv tm timespec fenv_t \
     fexcept_t mbstate_t float_t double_t errno stdin stdout stderr assert offsetof complex imaginary noreturn off_t mode_t \
     pid_t uid_t gid_t byte word boolean",
    // Functions of C's library.
    "main abort abs acos acosh aligned_alloc asctime asin asinh atan atan2 atanh atexit atof atoi atol atoll at_quick_exit \
     bsearch btowc calloc cbrt ceil clearerr clock copysign cos cosh ctime difftime div erf erfc exit exp exp2 expm1 fabs fclose \
     fdim feof ferror fflush fgetc fgetpos fgets floor fma fmax fmin fmod fopen fprintf fputc fputs fread free freopen frexp \
     fscanf fseek fsetpos ftell fwrite getc getchar getenv gets gmtime hypot ilogb index isalnum isalpha isblank iscntrl isdigit \
     isfinite isgraph isinf islower isnan isnormal isprint ispunct isspace isupper isxdigit labs ldexp ldiv lgamma llabs lldiv \
     llrint llround localeconv localtime log log10 log1p log2 logb longjmp lrint lround malloc mblen mbstowcs mbtowc memccpy \
     memchr memcmp memcpy memmove memset mktime modf nan nearbyint nextafter nexttoward perror pow printf putc putchar puts qsort \
     quick_exit raise rand realloc remove remainder remquo rename rewind rindex rint round scalbln scalbn scanf setbuf setjmp \
     setlocale setvbuf signal signbit sin sinh snprintf sprintf sqrt srand sscanf strcat strchr strcmp strcoll strcpy strcspn \
     strdup strerror strftime strlen strncat strncmp strncpy strndup strpbrk strrchr strspn strstr strtod strtof strtok strtol \
     strtold strtoll strtoul strtoull strxfrm swab system tan tanh tgamma time timespec_get tmpfile tmpnam tolower toupper trunc \
     ungetc vfprintf vprintf vscanf vsnprintf vsprintf vsscanf wcslen wcscpy wctomb j0 j1 jn y0 y1 yn gamma bcmp bcopy bzero ffs",
    // Common functions of operating systems and of Arduino, and what its generated sketch calls things.
    "accept access bind brk chdir close connect creat dup execv fork fsync getpid ioctl kill link listen lseek mkdir mmap open \
     pause pipe poll read recv rmdir sbrk select send sleep socket stat stop sync unlink usleep wait write yield setup loop delay \
     delaymicroseconds digitalread digitalwrite analogread analogwrite pinmode micros millis map min max constrain random tone \
     bit lowbyte highbyte serial input output row status elements rows count i x y",
    // Names that Cargo or Windows keep for themselves.
    "build deps examples incremental con prn aux nul com1 com2 com3 com4 com5 com6 com7 com8 com9 lpt1 lpt2 lpt3 lpt4 lpt5 lpt6 \
     lpt7 lpt8 lpt9",
    // Targets of CMake.
    "all clean install package package_source edit_cache rebuild_cache help depend",
    // Symbols that linker scripts and start-up code define.
    "reset end etext edata start heap stack",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_of_all_lists_are_reserved_and_others_are_not() {
        for word in [
            "size_t",
            "int8_t",
            "uint_fast16_t",
            "uintptr_t",
            "intmax_t",
            "char32_t",
            "restrict",
            "main",
            "printf",
            "log",
            "co_await",
            "errno",
            "u8",
            "core",
            "aux",
            "linux",
            "setup",
        ] {
            assert!(is_reserved(word), "{word}");
        }
        for word in ["person_detect", "model", "int", "printer", "restricted", "my_t", "integer_t", "mcunet"] {
            assert_eq!(is_reserved(word), word == "int", "{word}");
        }
        for word in LISTS.iter().flat_map(|list| list.split_whitespace()) {
            assert!(word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{word}");
        }
    }
}
