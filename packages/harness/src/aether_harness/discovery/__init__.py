"""Find benches: installed plugins and files of benches."""
