//! JSON pointers (RFC 6901), built token by token and shown as people write paths.

/// Runs `f` with the pointer one token longer.
pub fn below<T>(pointer: &mut String, token: &str, f: impl FnOnce(&mut String) -> T) -> T {
    let length = pointer.len();
    pointer.push('/');
    push_token(pointer, token);
    let result = f(pointer);
    pointer.truncate(length);
    result
}

/// `pointer` with one more token, escaped.
pub fn join(pointer: &str, token: &str) -> String {
    let mut joined = pointer.to_owned();
    joined.push('/');
    push_token(&mut joined, token);
    joined
}

fn push_token(pointer: &mut String, token: &str) {
    for c in token.chars() {
        match c {
            '~' => pointer.push_str("~0"),
            '/' => pointer.push_str("~1"),
            c => pointer.push(c),
        }
    }
}

/// A JSON pointer as people write it: `plans[0].fixed.fifo`.
pub fn dotted(pointer: &str) -> String {
    let mut path = String::new();
    for token in pointer.split('/').skip(1) {
        let token = token.replace("~1", "/").replace("~0", "~");
        if !token.is_empty() && token.bytes().all(|b| b.is_ascii_digit()) {
            path.push('[');
            path.push_str(&token);
            path.push(']');
        } else {
            if !path.is_empty() {
                path.push('.');
            }
            path.push_str(&token);
        }
    }
    path
}
